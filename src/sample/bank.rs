//! What does not depend on customers: offices, staff, products, channels and code tables.

use super::effects;
use super::random::{Kind, Stream};

/// A branch.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) code: &'static str,
    pub(super) name: &'static str,
    pub(super) name_en: &'static str,
    /// Position in [`REGIONS`].
    region: usize,
    peer_group: &'static str,
    /// Share of the bank's customers.
    pub(super) weight: u32,
    /// Yearly growth of the balance of a customer who stays, per mille.
    pub(super) growth: i64,
    /// Places of its offices, Chinese and English.
    places: [(&'static str, &'static str); 8],
}

const REGIONS: [(&str, &str, &str); 7] = [
    ("north", "华北", "North"),
    ("northeast", "东北", "Northeast"),
    ("east", "华东", "East"),
    ("central", "华中", "Central"),
    ("south", "华南", "South"),
    ("southwest", "西南", "Southwest"),
    ("northwest", "西北", "Northwest"),
];

macro_rules! branches {
    ($($code:literal $name:literal $name_en:literal $region:literal $peer:literal $weight:literal $growth:literal
        $($place:literal $place_en:literal),*;)*) => {
        &[$(Branch { code: $code, name: $name, name_en: $name_en, region: $region, peer_group: $peer, weight: $weight,
            growth: $growth, places: [$(($place, $place_en)),*] }),*]
    };
}

/// The 28 branches. The source documents name four cities; the other 24 were chosen for the sample.
pub(super) const BRANCHES: &[Branch] = branches! {
    "beijing" "北京" "Beijing" 0 "A" 75 110 "朝阳" "Chaoyang", "望京" "Wangjing", "国贸" "Guomao", "海淀" "Haidian", "中关村" "Zhongguancun", "西单" "Xidan", "丰台" "Fengtai", "通州" "Tongzhou";
    "nanjing" "南京" "Nanjing" 2 "B" 45 150 "鼓楼" "Gulou", "新街口" "Xinjiekou", "玄武" "Xuanwu", "建邺" "Jianye", "江宁" "Jiangning", "浦口" "Pukou", "栖霞" "Qixia", "秦淮" "Qinhuai";
    "hangzhou" "杭州" "Hangzhou" 2 "B" 50 190 "西湖" "Xihu", "武林" "Wulin", "滨江" "Binjiang", "余杭" "Yuhang", "萧山" "Xiaoshan", "拱墅" "Gongshu", "上城" "Shangcheng", "临平" "Linping";
    "shanghai" "上海" "Shanghai" 2 "A" 80 130 "陆家嘴" "Lujiazui", "浦东" "Pudong", "静安" "Jing'an", "徐家汇" "Xujiahui", "虹桥" "Hongqiao", "杨浦" "Yangpu", "闵行" "Minhang", "宝山" "Baoshan";
    "jinan" "济南" "Jinan" 2 "B" 40 90 "历下" "Lixia", "泉城路" "Quancheng Road", "槐荫" "Huaiyin", "历城" "Licheng", "高新区" "High-tech Zone", "天桥" "Tianqiao", "长清" "Changqing", "章丘" "Zhangqiu";
    "kunming" "昆明" "Kunming" 5 "C" 30 60 "五华" "Wuhua", "盘龙" "Panlong", "官渡" "Guandu", "西山" "Xishan", "呈贡" "Chenggong", "翠湖" "Cuihu", "北市区" "Beishiqu", "安宁" "Anning";
    "shenzhen" "深圳" "Shenzhen" 4 "A" 60 200 "福田" "Futian", "罗湖" "Luohu", "南山" "Nanshan", "前海" "Qianhai", "宝安" "Bao'an", "龙岗" "Longgang", "龙华" "Longhua", "盐田" "Yantian";
    "shenyang" "沈阳" "Shenyang" 1 "B" 32 -40 "和平" "Heping", "沈河" "Shenhe", "铁西" "Tiexi", "皇姑" "Huanggu", "大东" "Dadong", "浑南" "Hunnan", "于洪" "Yuhong", "太原街" "Taiyuan Street";
    "guangzhou" "广州" "Guangzhou" 4 "A" 55 140 "天河" "Tianhe", "珠江新城" "Zhujiang New Town", "越秀" "Yuexiu", "海珠" "Haizhu", "番禺" "Panyu", "白云" "Baiyun", "荔湾" "Liwan", "黄埔" "Huangpu";
    "wuhan" "武汉" "Wuhan" 3 "B" 45 70 "江汉" "Jianghan", "武昌" "Wuchang", "光谷" "Optics Valley", "汉阳" "Hanyang", "江岸" "Jiang'an", "青山" "Qingshan", "洪山" "Hongshan", "硚口" "Qiaokou";
    "chongqing" "重庆" "Chongqing" 5 "B" 40 120 "渝中" "Yuzhong", "解放碑" "Jiefangbei", "江北" "Jiangbei", "观音桥" "Guanyinqiao", "沙坪坝" "Shapingba", "南岸" "Nan'an", "渝北" "Yubei", "九龙坡" "Jiulongpo";
    "chengdu" "成都" "Chengdu" 5 "B" 45 180 "锦江" "Jinjiang", "春熙路" "Chunxi Road", "高新" "Gaoxin", "青羊" "Qingyang", "武侯" "Wuhou", "金牛" "Jinniu", "成华" "Chenghua", "双流" "Shuangliu";
    "xian" "西安" "Xi'an" 6 "B" 36 110 "碑林" "Beilin", "钟楼" "Zhonglou", "雁塔" "Yanta", "高新路" "Gaoxin Road", "未央" "Weiyang", "莲湖" "Lianhu", "长安" "Chang'an", "新城" "Xincheng";
    "urumqi" "乌鲁木齐" "Urumqi" 6 "C" 20 -10 "天山" "Tianshan", "沙依巴克" "Shayibak", "新市" "Xinshi", "水磨沟" "Shuimogou", "友好路" "Youhao Road", "米东" "Midong", "南湖" "Nanhu", "头屯河" "Toutunhe";
    "dalian" "大连" "Dalian" 1 "B" 28 -50 "中山" "Zhongshan", "西岗" "Xigang", "沙河口" "Shahekou", "甘井子" "Ganjingzi", "开发区" "Development Zone", "旅顺" "Lüshun", "星海" "Xinghai", "金州" "Jinzhou";
    "qingdao" "青岛" "Qingdao" 2 "B" 32 100 "市南" "Shinan", "五四广场" "May Fourth Square", "市北" "Shibei", "崂山" "Laoshan", "李沧" "Licang", "黄岛" "Huangdao", "城阳" "Chengyang", "即墨" "Jimo";
    "taiyuan" "太原" "Taiyuan" 0 "C" 36 -70 "迎泽" "Yingze", "小店" "Xiaodian", "杏花岭" "Xinghualing", "万柏林" "Wanbailin", "柳巷" "Liuxiang", "尖草坪" "Jiancaoping", "晋源" "Jinyuan", "长风" "Changfeng";
    "wenzhou" "温州" "Wenzhou" 2 "C" 25 80 "鹿城" "Lucheng", "瓯海" "Ouhai", "龙湾" "Longwan", "瑞安" "Rui'an", "乐清" "Yueqing", "五马街" "Wuma Street", "洞头" "Dongtou", "平阳" "Pingyang";
    "fuzhou" "福州" "Fuzhou" 2 "C" 28 120 "台江" "Taijiang", "五一路" "Wuyi Road", "仓山" "Cangshan", "晋安" "Jin'an", "马尾" "Mawei", "东街口" "Dongjiekou", "长乐" "Changle", "福清" "Fuqing";
    "hohhot" "呼和浩特" "Hohhot" 0 "C" 18 -20 "新华" "Xinhua", "回民" "Huimin", "赛罕" "Saihan", "玉泉" "Yuquan", "如意" "Ruyi", "金川" "Jinchuan", "中山路" "Zhongshan Road", "大学路" "Daxue Road";
    "tianjin" "天津" "Tianjin" 0 "B" 35 10 "滨海" "Binhai", "和平路" "Heping Road", "河西" "Hexi", "南开" "Nankai", "河北" "Hebei", "河东" "Hedong", "塘沽" "Tanggu", "武清" "Wuqing";
    "shijiazhuang" "石家庄" "Shijiazhuang" 0 "C" 25 50 "桥西" "Qiaoxi", "裕华" "Yuhua", "长安路" "Chang'an Road", "桥东" "Qiaodong", "正定" "Zhengding", "鹿泉" "Luquan", "建设大街" "Jianshe Avenue", "藁城" "Gaocheng";
    "ningbo" "宁波" "Ningbo" 2 "C" 28 160 "海曙" "Haishu", "天一广场" "Tianyi Square", "鄞州" "Yinzhou", "江北岸" "Jiangbei Bank", "北仑" "Beilun", "镇海" "Zhenhai", "慈溪" "Cixi", "余姚" "Yuyao";
    "shaoxing" "绍兴" "Shaoxing" 2 "C" 20 110 "越城" "Yuecheng", "柯桥" "Keqiao", "上虞" "Shangyu", "诸暨" "Zhuji", "嵊州" "Shengzhou", "鲁迅路" "Luxun Road", "镜湖" "Jinghu", "新昌" "Xinchang";
    "nanning" "南宁" "Nanning" 4 "C" 22 90 "青秀" "Qingxiu", "兴宁" "Xingning", "江南" "Jiangnan", "西乡塘" "Xixiangtang", "五象" "Wuxiang", "朝阳路" "Chaoyang Road", "良庆" "Liangqing", "邕宁" "Yongning";
    "suzhou" "苏州" "Suzhou" 2 "B" 32 190 "姑苏" "Gusu", "园区" "Industrial Park", "观前街" "Guanqian Street", "吴中" "Wuzhong", "相城" "Xiangcheng", "昆山" "Kunshan", "吴江" "Wujiang", "虎丘" "Huqiu";
    "wuxi" "无锡" "Wuxi" 2 "C" 25 120 "梁溪" "Liangxi", "滨湖" "Binhu", "新吴" "Xinwu", "惠山" "Huishan", "锡山" "Xishan", "江阴" "Jiangyin", "宜兴" "Yixing", "太湖" "Taihu";
    "xiamen" "厦门" "Xiamen" 2 "C" 24 130 "思明" "Siming", "湖里" "Huli", "中山路" "Zhongshan Road", "集美" "Jimei", "海沧" "Haicang", "同安" "Tong'an", "翔安" "Xiang'an", "莲坂" "Lianban";
};

/// Remote sub-branches (异地支行): branch, name, English name. They have no outlets; accounts are booked on themselves.
const REMOTE: [(&str, &str, &str); 3] =
    [("jinan", "烟台", "Yantai"), ("jinan", "聊城", "Liaocheng"), ("kunming", "玉溪", "Yuxi")];

/// Offices that serve customers in the smallest bank: a hall per branch and the remote sub-branches.
pub(super) const FEWEST_OUTLETS: u32 = 31;
/// More would need a longer office number.
pub(super) const MOST_OUTLETS: u32 = 2000;

/// A unit of the organisation.
#[derive(Debug)]
pub(super) struct Org {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) name_en: String,
    pub(super) level: &'static str,
    pub(super) parent: Option<String>,
    /// Position in [`BRANCHES`]; head office has none.
    pub(super) branch: Option<usize>,
    pub(super) staff: u32,
    /// `YYYY-MM-DD`.
    pub(super) opened: String,
}

/// An office where customers bank.
#[derive(Debug)]
pub(super) struct Outlet {
    /// Position in [`Bank::orgs`].
    pub(super) org: usize,
    /// Its share of the branch's customers.
    pub(super) weight: u32,
    /// Employee numbers.
    pub(super) managers: Vec<String>,
    pub(super) tellers: Vec<String>,
}

/// An employee.
#[derive(Debug)]
pub(super) struct Employee {
    pub(super) id: String,
    pub(super) branch: usize,
    pub(super) role: &'static str,
    pub(super) org_id: String,
    pub(super) hired: String,
}

/// Offices and staff.
#[derive(Debug)]
pub(super) struct Bank {
    pub(super) orgs: Vec<Org>,
    /// By branch, the hall first.
    pub(super) outlets: Vec<Vec<Outlet>>,
    /// Call operators by branch.
    pub(super) operators: Vec<Vec<String>>,
    pub(super) employees: Vec<Employee>,
}

/// Two-digit number of a branch in the source systems.
pub(super) fn branch_number(branch: usize) -> String {
    format!("{:02}", branch + 1)
}

/// Position of a branch.
pub(super) fn branch(code: &str) -> usize {
    BRANCHES.iter().position(|branch| branch.code == code).unwrap_or_default()
}

/// Number of the customer manager who draws complaints: the first one of the hall.
pub(super) fn bad_employee() -> String {
    format!("{}005", branch_number(branch(effects::BAD_EMPLOYEE_BRANCH)))
}

impl Bank {
    /// Offices and staff of a bank with so many outlets.
    pub(super) fn new(seed: u64, outlets: u32) -> Self {
        let mut bank = Self { orgs: Vec::new(), outlets: Vec::new(), operators: Vec::new(), employees: Vec::new() };
        bank.orgs.push(Org {
            id: "00".into(),
            name: "总行".into(),
            name_en: "Head Office".into(),
            level: "head_office",
            parent: None,
            branch: None,
            staff: 860,
            opened: "1992-08-18".into(),
        });
        let more = outlets_by_branch(outlets - FEWEST_OUTLETS);
        for (number, &more) in more.iter().enumerate() {
            bank.add_branch(seed, number, more);
        }
        bank
    }

    fn add_branch(&mut self, seed: u64, number: usize, more: u32) {
        let branch = &BRANCHES[number];
        let two = branch_number(number);
        let mut random = Stream::new(seed, Kind::Staff, number as u64, 0);
        let opened = |random: &mut Stream, from: i64, to: i64| {
            format!("{}-{:02}-{:02}", random.between(from, to), random.between(1, 12), random.between(1, 28))
        };
        self.orgs.push(Org {
            id: two.clone(),
            name: format!("{}分行", branch.name),
            name_en: format!("{} Branch", branch.name_en),
            level: "branch",
            parent: Some("00".into()),
            branch: Some(number),
            staff: 60 + branch.weight * 3,
            opened: opened(&mut random, 1993, 2005),
        });
        let mut staff = Vec::new();
        for role in ["manager", "call_operator", "call_operator", "call_operator"] {
            staff.push((role, two.clone()));
        }
        let mut offices: Vec<(usize, u32)> = Vec::new();
        self.orgs.push(Org {
            id: format!("{two}00"),
            name: format!("{}分行营业部", branch.name),
            name_en: format!("{} Main Hall", branch.name_en),
            level: "outlet",
            parent: Some(two.clone()),
            branch: Some(number),
            staff: 24,
            opened: opened(&mut random, 1993, 2005),
        });
        offices.push((self.orgs.len() - 1, 4));
        for (order, (_, name, name_en)) in REMOTE.iter().filter(|(code, ..)| *code == branch.code).enumerate() {
            self.orgs.push(Org {
                id: format!("{two}R{}", order + 1),
                name: format!("{name}异地支行"),
                name_en: format!("{name_en} Remote Sub-branch"),
                level: "remote_sub_branch",
                parent: Some(two.clone()),
                branch: Some(number),
                staff: 18,
                opened: opened(&mut random, 2008, 2016),
            });
            offices.push((self.orgs.len() - 1, 2));
        }
        // Every third office is the seat of a sub-branch that the next two belong to.
        let mut parent = two.clone();
        for office in 0..more as usize {
            let (place, place_en) = branch.places[office % branch.places.len()];
            let (round, round_en) = match office / branch.places.len() {
                0 => (String::new(), String::new()),
                round => (format!("第{}", numeral(round + 1)), format!(" No. {}", round + 1)),
            };
            if office % 3 == 0 {
                parent = format!("{two}S{}", office / 3 + 1);
                self.orgs.push(Org {
                    id: parent.clone(),
                    name: format!("{}{place}{round}支行", branch.name),
                    name_en: format!("{} {place_en}{round_en} Sub-branch", branch.name_en),
                    level: "sub_branch",
                    parent: Some(two.clone()),
                    branch: Some(number),
                    staff: 12,
                    opened: opened(&mut random, 1996, 2014),
                });
            }
            self.orgs.push(Org {
                id: format!("{two}{:02}", office + 1),
                name: format!("{}{place}{round}网点", branch.name),
                name_en: format!("{} {place_en}{round_en} Outlet", branch.name_en),
                level: "outlet",
                parent: Some(parent.clone()),
                branch: Some(number),
                staff: 10,
                opened: opened(&mut random, 1998, 2019),
            });
            offices.push((self.orgs.len() - 1, 2));
        }
        let first = staff.len();
        for &(org, _) in &offices {
            let id = &self.orgs[org].id;
            for role in ["customer_manager", "customer_manager", "teller", "teller"] {
                staff.push((role, id.clone()));
            }
        }
        let numbers: Vec<String> = (1..=staff.len()).map(|position| format!("{two}{position:03}")).collect();
        for ((role, org_id), id) in staff.into_iter().zip(&numbers) {
            let hired = opened(&mut random, 2003, 2022);
            self.employees.push(Employee { id: id.clone(), branch: number, role, org_id, hired });
        }
        self.operators.push(numbers[1..first].to_vec());
        let outlets = offices.iter().enumerate().map(|(position, &(org, weight))| {
            let own = &numbers[first + position * 4..];
            Outlet { org, weight, managers: own[..2].to_vec(), tellers: own[2..4].to_vec() }
        });
        self.outlets.push(outlets.collect());
    }
}

/// Spreads outlets over branches by weight (highest averages), so that more outlets never take one away.
fn outlets_by_branch(more: u32) -> Vec<u32> {
    let mut counts = vec![0_u32; BRANCHES.len()];
    for _ in 0..more {
        let next = (0..BRANCHES.len()).max_by(|&left, &right| {
            let average = |branch: usize, other: usize| BRANCHES[branch].weight * (counts[other] + 1);
            average(left, right).cmp(&average(right, left)).then(right.cmp(&left))
        });
        counts[next.unwrap_or_default()] += 1;
    }
    counts
}

fn numeral(number: usize) -> &'static str {
    ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九", "十"].get(number).copied().unwrap_or("数")
}

impl Org {
    /// branch_code, branch_name, branch_name_en, city_name, city_name_en, region_code, region_name, region_name_en, peer_group_code.
    pub(super) fn place(&self) -> [String; 9] {
        let Some(number) = self.branch else {
            return [
                "head_office",
                "总行",
                "Head Office",
                "北京",
                "Beijing",
                "head_office",
                "总行",
                "Head Office",
                "H",
            ]
            .map(str::to_owned);
        };
        let branch = &BRANCHES[number];
        let (region, region_name, region_name_en) = REGIONS[branch.region];
        let (city, city_en) = REMOTE
            .iter()
            .find(|(_, name, _)| self.name.starts_with(name))
            .map_or((branch.name, branch.name_en), |&(_, name, name_en)| (name, name_en));
        [
            branch.code.to_owned(),
            format!("{}分行", branch.name),
            format!("{} Branch", branch.name_en),
            city.to_owned(),
            city_en.to_owned(),
            region.to_owned(),
            region_name.to_owned(),
            region_name_en.to_owned(),
            branch.peer_group.to_owned(),
        ]
    }
}

/// Family of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Deposit,
    Wealth,
    Loan,
    Card,
}

impl Family {
    /// All families, in the order of their numbers.
    pub(super) const ALL: [Self; 4] = [Self::Deposit, Self::Wealth, Self::Loan, Self::Card];

    /// Letter in the source systems.
    pub(super) fn letter(self) -> char {
        match self {
            Self::Deposit => 'D',
            Self::Wealth => 'W',
            Self::Loan => 'L',
            Self::Card => 'C',
        }
    }

    fn code(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Deposit => ("deposit", "存款", "Deposits"),
            Self::Wealth => ("wealth", "理财", "Wealth management"),
            Self::Loan => ("loan", "贷款", "Loans"),
            Self::Card => ("card", "信用卡", "Credit cards"),
        }
    }
}

/// A product.
#[derive(Debug)]
pub(super) struct Product {
    pub(super) id: &'static str,
    name: &'static str,
    name_en: &'static str,
    line: (&'static str, &'static str, &'static str),
    pub(super) family: Family,
    /// Yearly interest to or from the customer, millionths.
    pub(super) rate: i64,
    /// Yearly margin of the bank, millionths.
    pub(super) margin: i64,
    risk_level: &'static str,
    launched: &'static str,
}

const DEMAND: (&str, &str, &str) = ("demand", "活期存款", "Demand deposits");
const TIME: (&str, &str, &str) = ("time", "定期存款", "Time deposits");
const FIXED_INCOME: (&str, &str, &str) = ("fixed_income", "固定收益类", "Fixed income");
const MIXED: (&str, &str, &str) = ("mixed", "混合类", "Mixed");
const HOUSING: (&str, &str, &str) = ("housing", "住房贷款", "Housing loans");
const CONSUMER: (&str, &str, &str) = ("consumer", "消费贷款", "Consumer loans");
const BUSINESS: (&str, &str, &str) = ("business", "经营贷款", "Business loans");
const CREDIT_CARD: (&str, &str, &str) = ("credit_card", "信用卡", "Credit cards");

macro_rules! products {
    ($($id:literal $name:literal $name_en:literal $line:ident $family:ident $rate:literal $margin:literal $risk:literal $launched:literal;)*) => {
        &[$(Product { id: $id, name: $name, name_en: $name_en, line: $line, family: Family::$family, rate: $rate,
            margin: $margin, risk_level: $risk, launched: $launched }),*]
    };
}

/// The products.
pub(super) const PRODUCTS: &[Product] = products! {
    "D1" "个人活期存款" "Personal demand deposit" DEMAND Deposit 2_000 16_000 "" "1993-01-01";
    "D2" "单位活期存款" "Corporate demand deposit" DEMAND Deposit 2_500 15_000 "" "1993-01-01";
    "T1" "整存整取一年" "One-year time deposit" TIME Deposit 15_000 8_000 "" "1993-01-01";
    "T2" "大额存单" "Certificate of deposit" TIME Deposit 21_000 6_000 "" "2016-03-01";
    "T3" "单位定期存款" "Corporate time deposit" TIME Deposit 17_000 7_000 "" "1993-01-01";
    "W1" "安享固收理财" "Anxiang fixed-income fund" FIXED_INCOME Wealth 26_000 5_000 "R2" "2019-06-01";
    "W2" "睿进混合理财" "Ruijin mixed fund" MIXED Wealth 34_000 9_000 "R3" "2020-09-01";
    "L1" "个人住房贷款" "Personal housing loan" HOUSING Loan 38_000 9_000 "" "1999-01-01";
    "L2" "个人消费贷款" "Personal consumer loan" CONSUMER Loan 52_000 21_000 "" "2009-01-01";
    "L3" "小微经营贷款" "Small business loan" BUSINESS Loan 46_000 17_000 "" "2012-01-01";
    "L4" "流动资金贷款" "Working capital loan" BUSINESS Loan 40_000 12_000 "" "1993-01-01";
    "C1" "标准信用卡" "Standard credit card" CREDIT_CARD Card 92_000 48_000 "" "2003-12-01";
};

/// Position of a product.
pub(super) fn product(id: &str) -> usize {
    PRODUCTS.iter().position(|product| product.id == id).unwrap_or_default()
}

impl Product {
    /// The row of `dim_product`.
    pub(super) fn row(&self) -> String {
        let (line, line_name, line_name_en) = self.line;
        let (family, family_name, family_name_en) = self.family.code();
        let asset = matches!(self.family, Family::Loan | Family::Card);
        let liability = self.family == Family::Deposit;
        format!(
            "{},{},{},{line},{line_name},{line_name_en},{family},{family_name},{family_name_en},{asset},{liability},{},{},{}",
            self.id,
            self.name,
            self.name_en,
            self.risk_level,
            rate(self.margin),
            self.launched
        )
    }
}

/// Millionths as a decimal.
pub(super) fn rate(millionths: i64) -> String {
    format!("0.{millionths:06}")
}

/// A channel.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) code: &'static str,
    name: &'static str,
    name_en: &'static str,
    group: (&'static str, &'static str, &'static str),
    electronic: bool,
    /// Cost of one use, fen.
    pub(super) cost: i64,
}

const STAFFED: (&str, &str, &str) = ("staffed", "人工服务", "Staffed");
const SELF_SERVICE: (&str, &str, &str) = ("self_service", "自助设备", "Self-service");
const CALL_CENTRE: (&str, &str, &str) = ("call_centre", "呼叫中心", "Call centre");
const ELECTRONIC: (&str, &str, &str) = ("electronic", "电子银行", "Electronic banking");
const MESSAGE: (&str, &str, &str) = ("message", "消息信函", "Messages");
const PARTNER: (&str, &str, &str) = ("partner", "第三方", "Partners");

macro_rules! channels {
    ($($constant:ident $code:literal $name:literal $name_en:literal $group:ident $electronic:literal $cost:literal;)*) => {
        /// The channels.
        pub(super) const CHANNELS: &[Channel] = &[$(Channel { code: $code, name: $name, name_en: $name_en, group: $group,
            electronic: $electronic, cost: $cost }),*];
        /// Positions of the channels by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Via { $($constant),* }
    };
}

channels! {
    Counter "CN" "柜面" "Counter" STAFFED false 1500;
    Visit "VI" "上门拜访" "Visit" STAFFED false 12000;
    Machine "AT" "自助设备" "Self-service machine" SELF_SERVICE true 250;
    CallIn "CI" "客服热线来电" "Inbound call" CALL_CENTRE false 800;
    CallOut "CO" "客服外呼" "Outbound call" CALL_CENTRE false 900;
    Online "OB" "网上银行" "Online banking" ELECTRONIC true 60;
    Mobile "MB" "手机银行" "Mobile banking" ELECTRONIC true 40;
    Sms "SM" "短信" "Text message" MESSAGE true 5;
    Mail "EM" "电子邮件" "E-mail" MESSAGE true 3;
    Letter "LT" "信函" "Letter" MESSAGE false 350;
    Fax "FX" "传真" "Fax" MESSAGE false 100;
    Partner "TP" "第三方支付" "Third-party payment" PARTNER true 20;
    Batch "BT" "批量代发" "Batch payment" ELECTRONIC true 5;
}

impl Via {
    /// The channel.
    pub(super) fn channel(self) -> &'static Channel {
        &CHANNELS[self as usize]
    }
}

impl Channel {
    /// The row of `dim_channel`.
    pub(super) fn row(&self) -> String {
        let (group, group_name, group_name_en) = self.group;
        format!(
            "{},{},{},{group},{group_name},{group_name_en},{},{}",
            self.code,
            self.name,
            self.name_en,
            self.electronic,
            super::feed::Money(self.cost)
        )
    }
}

/// Rows of `dim_txn_type`.
pub(super) const TXN_TYPES: &[&str] = &[
    "SA,代发工资,Salary,salary,false",
    "TI,转入,Transfer in,transfer,true",
    "TO,转出,Transfer out,transfer,true",
    "CD,现金存入,Cash deposit,cash,true",
    "CW,现金支取,Cash withdrawal,cash,true",
    "PY,消费支付,Payment,payment,true",
    "IV,理财申购赎回,Wealth order,investment,true",
    "TD,定期存入支取,Time deposit order,deposit,true",
    "CL,销户支取,Closing,closing,true",
];

/// Rows of `dim_interaction_type`.
pub(super) const INTERACTION_TYPES: &[&str] = &[
    "IN,咨询,Enquiry",
    "SV,业务办理,Service request",
    "VS,客户拜访,Customer visit",
    "CR,客户关怀,Customer care",
    "MK,营销接触,Sales contact",
    "NT,通知提醒,Notice",
];

/// A cause of complaints.
#[derive(Debug)]
pub(super) struct Cause {
    pub(super) code: &'static str,
    pub(super) row: &'static str,
    /// Share in ordinary branches.
    pub(super) weight: u32,
    /// Share in the bad branch.
    pub(super) bad_branch: u32,
    /// Share for the bad employee.
    pub(super) bad_employee: u32,
}

macro_rules! causes {
    ($($code:literal $row:literal $weight:literal $branch:literal $employee:literal;)*) => {
        &[$(Cause { code: $code, row: concat!($code, ",", $row), weight: $weight, bad_branch: $branch, bad_employee: $employee }),*]
    };
}

/// The causes: cause, group, area, each with both names.
pub(super) const CAUSES: &[Cause] = causes! {
    "Q1" "排队时间长,Long queue,waiting,等候,Waiting,service,服务,Service" 18 34 2;
    "Q2" "电话难接通,Line busy,waiting,等候,Waiting,service,服务,Service" 12 20 1;
    "A1" "服务态度,Attitude,conduct,行为规范,Conduct,service,服务,Service" 14 12 22;
    "A2" "误导销售,Mis-selling,conduct,行为规范,Conduct,service,服务,Service" 6 4 60;
    "F1" "收费争议,Disputed fee,fees,收费,Fees,product,产品,Product" 13 16 3;
    "F2" "利率争议,Disputed interest,fees,收费,Fees,product,产品,Product" 7 3 2;
    "P1" "产品收益,Product return,terms,产品条款,Terms,product,产品,Product" 8 3 8;
    "E1" "手机银行故障,Mobile banking fault,systems,系统,Systems,process,流程,Process" 10 3 0;
    "E2" "自助设备故障,Machine fault,systems,系统,Systems,process,流程,Process" 6 3 0;
    "D1" "处理差错,Processing error,operations,操作,Operations,process,流程,Process" 6 2 2;
};

/// A campaign.
#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) id: &'static str,
    name: &'static str,
    name_en: &'static str,
    objective: &'static str,
    pub(super) product: &'static str,
    /// The month in which it runs.
    pub(super) month: u32,
    budget: i64,
    /// Customers of a block of 1,000: treated, and those of them who convert.
    pub(super) treated: (usize, usize),
    /// Customers of a block held back as control, and those of them who convert.
    pub(super) control: (usize, usize),
    pub(super) via: Via,
}

/// The campaigns, in the order of their months.
pub(super) const CAMPAIGNS: &[Campaign] = &[
    Campaign {
        id: "K01",
        name: "春季大额存单推介",
        name_en: "Certificates in spring",
        objective: "cross_sell",
        product: "T2",
        month: 4,
        budget: 1_200_000,
        treated: (effects::ARM, 56),
        control: (effects::ARM, 20),
        via: Via::CallOut,
    },
    Campaign {
        id: "K02",
        name: "夏季客户关怀短信",
        name_en: "Summer greetings",
        objective: "retention",
        product: "D1",
        month: 8,
        budget: 300_000,
        treated: (effects::ARM, 24),
        control: (effects::ARM, 24),
        via: Via::Sms,
    },
    Campaign {
        id: "K03",
        name: "理财进社区",
        name_en: "Wealth in the neighbourhood",
        objective: "cross_sell",
        product: "W1",
        month: 15,
        budget: 900_000,
        treated: (120, 9),
        control: (0, 0),
        via: Via::Visit,
    },
    Campaign {
        id: "K04",
        name: "年末存款回馈",
        name_en: "Year-end savings",
        objective: "deposit_growth",
        product: "T1",
        month: 24,
        budget: 800_000,
        treated: (150, 14),
        control: (0, 0),
        via: Via::CallOut,
    },
];

impl Campaign {
    /// The row of `dim_campaign`; the campaign runs for its whole month.
    pub(super) fn row(&self, first: &str, last: &str) -> String {
        let (treated, control) = (self.treated.0 as i64, self.control.0 as i64);
        let design = if control > 0 { "randomised" } else { "none" };
        format!(
            "{},{},{},{},{},{first},{last},{},{design},{}",
            self.id,
            self.name,
            self.name_en,
            self.objective,
            self.product,
            super::feed::Money(self.budget * 100),
            rate(control * 1_000_000 / (treated + control))
        )
    }
}
